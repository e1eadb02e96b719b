import numpy as np, scipy.sparse as sp
from dataclasses import dataclass
from scipy.sparse.csgraph import maximum_flow, breadth_first_order
from diffusionseg.masks import resize, guided_filter
@dataclass(frozen=True)
class AttentionCutConfig:
    temperature: float = 0.12
    clip: float = 0.02
    smoothness: float = 2.5
    sigma: float = 2.5
@dataclass
class AttentionCutResult:
    pseudo_mask: object; labels: object; probability: object; cross: object; energy: dict; confidence: float; agreement: float
def otsu(f):
    h,e=np.histogram(f,64,(0,1)); c=(e[1:]+e[:-1])/2; w=np.cumsum(h); m=np.cumsum(h*c); t=m[-1]; n=w[-1]
    with np.errstate(all="ignore"): v=(t*w/n-m)**2/(w*(n-w))
    v[~np.isfinite(v)]=0
    return e[1+int(np.argmax(v))]
def min_cut(U,W):
    n=len(U); S=1e6/ max(U.max(),1)
    d=np.round((U[:,0]-U[:,1])*S).astype(np.int64)  # >0 prefers object
    Wi=sp.csr_array(W); Wi.data=np.round(Wi.data*S); 
    Wc=Wi.tocoo(); s,t=n,n+1
    src=np.nonzero(d>0)[0]; snk=np.nonzero(d<0)[0]
    r=np.concatenate([Wc.row,np.full(len(src),s),snk]); c=np.concatenate([Wc.col,src,np.full(len(snk),t)])
    v=np.concatenate([Wc.data,d[src],-d[snk]]).astype(np.int32)
    g=sp.csr_array((v,(r,c)),shape=(n+2,n+2)); g.sum_duplicates()
    f=maximum_flow(sp.csr_matrix(g),s,t)
    res=sp.csr_matrix(g)-f.flow; res.eliminate_zeros()
    reach=breadth_first_order(res,s,return_predecessors=False)
    y=np.zeros(n+2,bool); y[reach]=True
    return y[:n]
def attention_cut(cross,selfs,grids,image,config):
    grid=max([c.shape for c in cross]+list(grids),key=lambda g:g[0]*g[1])
    f=np.mean([resize((c/c.mean()).astype(np.float64),grid) for c in cross],0)
    f=(f-f.min())/max(f.max()-f.min(),1e-9)
    n=grid[0]*grid[1]; A=np.zeros((n,n)); k=0
    for a,g in zip(selfs,grids):
        if tuple(g)==tuple(grid): A+=a; k+=1
    A/=k
    p=np.clip(1/(1+np.exp(-(f-otsu(f))/config.temperature)),config.clip,1-config.clip)
    yy,xx=np.divmod(np.arange(n),grid[1]); d2=(yy[:,None]-yy)**2+(xx[:,None]-xx)**2
    sig=config.sigma*max(grid)/16
    W=(A+A.T)/2*np.exp(-d2/2/sig**2); np.fill_diagonal(W,0); W*=config.smoothness/W.sum(1).mean()
    U=np.stack([-np.log(1-p.ravel()),-np.log(p.ravel())],1)
    y=min_cut(U,W).reshape(grid)
    H,Wd=image.shape[:2]
    soft=resize(0.5*y+0.5*p,(H,Wd))
    soft=np.clip(guided_filter(image/255.,soft,max(1,H//grid[0]),1e-3),0,1)
    m=np.full((H,Wd),128,np.uint8); m[soft>.6]=255; m[soft<.4]=0
    u=p>.5; iou=(u&y).sum()/max(1,(u|y).sum())
    return AttentionCutResult(m,y,p,f,{},float(np.abs(p-.5).mean()*2),float(iou))
